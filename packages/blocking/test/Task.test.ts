import { assert, describe, it } from "@effect/vitest"
import { Task } from "effect-blocking"

class Missing extends Error {}

const find = Task.make(import.meta.url, "find", () => 1, { errors: [Missing], mandatory: true })

describe("Task.with", () => {
  it("E1: keeps the errors of the definition, whatever it is given", () => {
    for (const options of [{}, { errors: [] }, { errors: undefined }]) {
      assert.deepStrictEqual(Task.with(find, options as Task.DerivedOptions).options, {
        errors: [Missing],
        mandatory: true
      })
    }
  })
})
