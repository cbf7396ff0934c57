/**
 * A rendezvous like `gate.ts`, for bodies that share no memory with the test: a file
 * that grows by a line for each body that is there, and one that says that they may go on.
 */
import { Effect } from "effect"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { poll } from "../fixtures/native.ts"

export type FileGate = string

/** A gate that is gone with the test, and then open for all. */
export const make = Effect.acquireRelease(
  Effect.sync((): FileGate => join(mkdtempSync(join(tmpdir(), "effect-blocking-")), "gate")),
  (gate) => Effect.sync(() => rmSync(dirname(gate), { recursive: true }))
)

/** The pids of the bodies that were there, in their order. */
export const pids = (gate: FileGate): ReadonlyArray<number> =>
  existsSync(gate) ? readFileSync(gate, "utf8").split("\n").slice(0, -1).map(Number) : []

/** Waits until `count` bodies are there, and answers their pids. */
export const arrived = (gate: FileGate, count = 1): Effect.Effect<readonly [number, ...ReadonlyArray<number>]> =>
  Effect.repeat(Effect.sync(() => pids(gate)), { until: (pids) => pids.length >= count, schedule: poll }) as never

/** Lets every body go on, those to come too. */
export const open = (gate: FileGate): void => writeFileSync(`${gate}.open`, "")
