/** The login with effect-blocking. Its error type has the reasons of `JoinError` that it does not handle. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Effect } from "effect"
import { Blocking, type JoinError } from "effect-blocking"
import { verify } from "./tasks.ts"

export const login = (user: string, password: string): Effect.Effect<string, JoinError.JoinError, Blocking.Blocking> =>
  Blocking.run(verify, user, password).pipe(
    Effect.map(({ user }) => `200 ${user}`),
    Effect.catchTags({
      UnknownUser: ({ user }) => Effect.succeed(`404 ${user}`),
      WrongPassword: () => Effect.succeed("401")
    }),
    Effect.catchReasons("JoinError", {
      TimedOut: () => Effect.succeed("504"),
      QueueFull: () => Effect.succeed("503"),
      Panicked: ({ thrown }) => {
        const { code, name } = thrown as NodeJS.ErrnoException
        return Effect.succeed(`500 ${name} ${code ?? "without its code"}`)
      }
    })
  )

export const layer = NodeBlocking.layer({ minThreads: 1, maxThreads: 1, queueCapacity: 1, onFull: "fail" })
