import { assert, describe, it } from "@effect/vitest"
import { Task } from "effect-blocking"
import { inspect } from "node:util"
import { serialize } from "node:v8"
import { ownArguments, prepareTransfer, takeOwnership } from "../../../src/internal/scheduler/arguments.ts"
import { Run } from "../../../src/internal/scheduler/run.ts"
import { TaskDefinition } from "../../../src/internal/scheduler/taskDefinitions.ts"
import { resolve } from "../../../src/internal/task/resolved.ts"
import { SimulatedHost } from "../../utils/simulatedHost.ts"

const task = resolve(Task.make(import.meta.url, "any", (..._: ReadonlyArray<unknown>) => {}))

const submit = (...args: Array<unknown>): Run => {
  const run = new Run(1, task, new TaskDefinition(0, task.module, task.name), args, 0, () => {}, undefined)
  assert.isUndefined(ownArguments(run, new SimulatedHost(), undefined))
  return run
}

const argumentsOf = (run: Run) => run.args as Array<unknown>

// Only the types of a browser declare it.
declare const WebAssembly: { readonly Memory: new(size: { initial: number }) => { readonly buffer: ArrayBuffer } }

const wasmMemory = (): ArrayBuffer => new WebAssembly.Memory({ initial: 1 }).buffer

describe("arguments", () => {
  it("S3: later changes by the caller do not reach them", () => {
    const object = { a: 1 }
    const bytes = Uint8Array.of(1, 2, 3)
    const run = submit(object, bytes, bytes.subarray(1), "text")
    object.a = 2
    bytes.fill(9)
    assert.deepStrictEqual(run.args, [{ a: 1 }, Uint8Array.of(1, 2, 3), Uint8Array.of(2, 3), "text"])
  })

  it("S3: immutable arguments are not copied", () => {
    const args = [1, "text", null, undefined, true, 1n]
    assert.strictEqual(argumentsOf(submit(...args))[1], "text")
    assert.isUndefined(submit(...args).details)
  })

  it("S3: a value to be moved stays with the caller until the run takes it", () => {
    const bytes = Uint8Array.of(1, 2, 3)
    const shorts = new Int16Array(4).subarray(0, 4)
    const run = submit(Task.move(bytes), { deep: [Task.move(shorts)] }, 7)
    assert.deepStrictEqual([bytes.length, shorts.length], [3, 4])
    assert.isUndefined(takeOwnership(run))
    assert.deepStrictEqual([bytes.length, shorts.length], [0, 0])
    assert.deepStrictEqual(run.args, [Uint8Array.of(1, 2, 3), { deep: [new Int16Array(4)] }, 7])
    assert.strictEqual(run.transfer!.length, 2)
  })

  it("S3: the same value moved twice in a call is moved once", () => {
    const bytes = Uint8Array.of(1)
    const moved = Task.move(bytes)
    const run = submit(moved, moved, Task.move(bytes), bytes)
    assert.isUndefined(takeOwnership(run))
    assert.deepStrictEqual(run.args, Array(4).fill(Uint8Array.of(1)))
    assert.strictEqual(argumentsOf(run)[0], argumentsOf(run)[1])
    assert.strictEqual(run.transfer!.length, 1)
    assert.notStrictEqual(argumentsOf(run)[0], argumentsOf(run)[3])
  })

  it("S3: a message that is posted at once transfers the caller's own memory", () => {
    const bytes = new Uint8Array(8)
    const run = submit([Task.move(bytes)])
    prepareTransfer(run)
    assert.deepStrictEqual(run.transfer, [bytes.buffer])
    assert.deepStrictEqual(run.args, [[bytes]])
  })

  it("S3: values that cannot be transferred are copied, and the others moved", () => {
    const wasm = new Uint8Array(wasmMemory())
    const plain = new Uint8Array(8)
    const run = submit(Task.move(wasm), Task.move(plain))
    assert.isUndefined(takeOwnership(run))
    assert.deepStrictEqual([wasm.length, plain.length], [65_536, 0])
    assert.deepStrictEqual((run.args as Array<Uint8Array>).map(({ length }) => length), [65_536, 8])
  })

  it("S3: shared memory is shared, moved or not", () => {
    const shared = new Int32Array(new SharedArrayBuffer(8))
    const run = submit(Task.move(shared))
    assert.strictEqual((argumentsOf(run)[0] as Int32Array).buffer.byteLength, 8)
    shared[0] = 5
    assert.strictEqual((argumentsOf(run)[0] as Int32Array)[0], 5)
  })

  it("S4: a value that was moved before is refused, and no other value of the call is moved", () => {
    const [gone, bytes] = [new Uint8Array(8), new Uint8Array(8)]
    structuredClone(gone, { transfer: [gone.buffer] })
    for (const args of [[Task.move(bytes), Task.move(gone)], [{ deep: [Task.move(gone)] }, Task.move(bytes)]]) {
      const run = new Run(1, task, new TaskDefinition(0, task.module, task.name), args, 0, () => {}, undefined)
      const refused = ownArguments(run, new SimulatedHost(), undefined)
      assert.strictEqual(refused?.kind, "NotCloneable")
      assert.include(inspect(refused?.exit, { depth: 9 }), "make it anew for each run")
      assert.strictEqual(bytes.length, 8)
    }
  })

  it("S3: for threads that share no memory they are packed at once, and moved values are detached when the run takes them", () => {
    const host = Object.assign(new SimulatedHost(), { pack: (values: ReadonlyArray<unknown>) => serialize(values) })
    const bytes = Uint8Array.of(1, 2, 3)
    const run = new Run(1, task, new TaskDefinition(0, "m", "n"), [Task.move(bytes)], 0, () => {}, undefined)
    assert.isUndefined(ownArguments(run, host, undefined))
    assert.instanceOf(run.args, Uint8Array)
    assert.strictEqual(bytes.length, 3)
    assert.isUndefined(takeOwnership(run))
    assert.strictEqual(bytes.length, 0)
  })
})
