/**
 * Ends a pool process when its parent is gone, even while the process is in code that never
 * returns. A parent that is killed sends no notice; its channel closes, but a busy event loop
 * does not see that. The guard runs first in the process, before the program's preloads.
 *
 * `processHost` puts it at the head of `NODE_OPTIONS`. It removes itself from there, because
 * programs that a task starts have another parent. It is a CommonJS module, because
 * `--require` comes before `--import`, and it imports nothing.
 */
const { isMainThread, Worker } = process.getBuiltinModule("node:worker_threads")

/** The longest time that an orphan lives. Arbitrary: a check costs some microseconds. */
const parentPollMillis = 250

const guard = (): void => {
  // As `processHost` writes it.
  const option = `--require ${JSON.stringify(__filename)}`
  const { NODE_OPTIONS } = process.env
  const rest = NODE_OPTIONS?.replace(option, "").trim() ?? ""
  if (rest === "") delete process.env["NODE_OPTIONS"]
  else process.env["NODE_OPTIONS"] = rest

  // A process that loses its parent gets another. That may have happened already.
  const parent = process.ppid
  const program = Number(process.argv[4])
  if (parent !== program && !isAlive(program)) process.kill(process.pid, "SIGKILL")
  // Only a thread can run while a body runs or a module is loaded. It waits in its event loop,
  // where `process.exit` in a body can end it.
  const watchdog = new Worker(
    `setInterval(() => {
      if (process.ppid !== ${parent}) process.kill(process.pid, "SIGKILL")
    }, ${parentPollMillis})`,
    {
      eval: true,
      name: "effect-blocking-watchdog",
      env: {},
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 8 }
    }
  )
  // The pool also works without the watchdog.
  watchdog.on("error", () => {})
  watchdog.unref()
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

// Threads of a pool process inherit the flag, but their process has its guard already.
if (isMainThread) {
  try {
    guard()
  } catch {
    // Refused, for example by the permission model. The pool also works without the guard.
  }
}
