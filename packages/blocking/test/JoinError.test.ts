import { assert, it } from "@effect/vitest"
import { JoinError } from "effect-blocking"

it("F3: building the message of LoadFailed takes linear time in the stack of its cause", () => {
  const messageOf = (stack: unknown): string => {
    const cause = Object.defineProperty(new SyntaxError("x"), "stack", { value: stack })
    return new JoinError.LoadFailed({ url: "file:///x", cause, names: [] }).message
  }
  // Four million steps: a quadratic search would never end.
  assert.include(messageOf("SyntaxError: x" + "\n".repeat(4_000_000)), "could not be loaded: SyntaxError: x")
  assert.include(messageOf(" ".repeat(4_000_000)), "could not be loaded: SyntaxError: x")
  assert.include(messageOf(7), "could not be loaded: SyntaxError: x")
  assert.include(messageOf("SyntaxError: x\n    at a (node:internal/modules/esm/utils:1:1)"), "--import file:///x")
})
