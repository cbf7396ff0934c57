/** Users and domain errors, shared by the queries, the API and its clients. */
import { Schema } from "effect"

export const User = Schema.Struct({
  id: Schema.Int,
  name: Schema.String,
  email: Schema.String
})

export const NewUser = Schema.Struct({
  name: Schema.NonEmptyString,
  email: Schema.String.check(Schema.isPattern(/^[^\s@]+@[^\s@]+$/, { expected: "an e-mail address" }))
})

export class UserNotFound extends Schema.TaggedError<UserNotFound>()("UserNotFound", {
  id: Schema.Int
}, { httpApiStatus: 404 }) {}

export class EmailTaken extends Schema.TaggedError<EmailTaken>()("EmailTaken", {
  email: Schema.String
}, { httpApiStatus: 409 }) {}
