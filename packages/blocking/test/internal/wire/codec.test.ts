import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { NotCloneableError } from "../../../src/internal/wire/cloneable.ts"
import { hostCodec, threadCodec } from "../../../src/internal/wire/codec.ts"

/** A schema like one from another copy of `effect`: the same fields, without our classes. */
const ofAnotherCopy = (schema: Schema.Top): Schema.Top => ({ ast: { ...schema.ast } }) as Schema.Top

const messageOf = (convert: () => unknown): string => {
  try {
    convert()
  } catch (error) {
    assert.instanceOf(error, NotCloneableError)
    return error.message
  }
  return "nothing"
}

describe("codec", () => {
  it("S4: a schema of another copy of effect is reported as such", () => {
    const foreign = ofAnotherCopy(Schema.Int)
    const inner = Schema.Struct({ at: Schema.Array(Schema.Date) })
    Object.assign(inner.ast.propertySignatures[0]!, { type: ofAnotherCopy(Schema.Date).ast })
    for (const schema of [foreign, inner]) {
      const schemas = { payload: schema, success: schema, error: schema }
      const host = hostCodec(schemas)
      const thread = threadCodec(schemas)
      for (
        const convert of [
          () => host.encodeArguments([1]),
          () => host.decodeSuccess(1),
          () => host.decodeError(1),
          () => thread.decodeArguments([1]),
          () => thread.encodeResult(1)
        ]
      ) {
        assert.include(messageOf(convert), "the schema is of another copy of effect")
      }
    }
  })

  it("schemas of the same copy convert, recursive and transformed ones too", () => {
    interface Tree {
      readonly at: Date
      readonly inner: ReadonlyArray<Tree>
    }
    const Tree = Schema.Struct({
      at: Schema.Date,
      inner: Schema.Array(Schema.suspend((): Schema.Codec<Tree, unknown> => Tree as never))
    })
    class Missing extends Schema.TaggedError<Missing>()("Missing", { id: Schema.Int }) {}
    const tree: Tree = { at: new Date(0), inner: [{ at: new Date(1), inner: [] }] }
    const schemas = { payload: Tree, success: Schema.Option(Schema.NumberFromString), error: Missing }
    const host = hostCodec(schemas)
    assert.deepStrictEqual(threadCodec(schemas).decodeArguments(host.encodeArguments([tree])), [tree])
  })
})
