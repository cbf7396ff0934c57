/**
 * A rendezvous like `gate.ts`, for bodies that share no memory with the test: one file
 * gets a line for each body that arrives, and the existence of another opens the gate.
 */
import { Effect } from "effect"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { poll } from "../fixtures/native.ts"

export type FileGate = string

/** A gate that is removed after the test, and then open for all. */
export const make = Effect.acquireRelease(
  Effect.sync((): FileGate => join(mkdtempSync(join(tmpdir(), "effect-blocking-")), "gate")),
  (gate) => Effect.sync(() => rmSync(dirname(gate), { recursive: true }))
)

/** The pids of the bodies that have arrived, in order. */
export const pids = (gate: FileGate): ReadonlyArray<number> =>
  existsSync(gate) ? readFileSync(gate, "utf8").split("\n").slice(0, -1).map(Number) : []

/** Waits until `count` bodies have arrived, and returns their pids. */
export const arrived = (gate: FileGate, count = 1): Effect.Effect<readonly [number, ...ReadonlyArray<number>]> =>
  Effect.repeat(Effect.sync(() => pids(gate)), { until: (pids) => pids.length >= count, schedule: poll }) as never

/** Lets every body go on, future ones included. */
export const open = (gate: FileGate): void => writeFileSync(`${gate}.open`, "")
