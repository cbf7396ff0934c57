/**
 * The first that runs in a pool process, before what the program preloads: ends the process
 * when its parent is gone, although it may be in code that never returns. A parent that is
 * killed tells nobody, and closes a channel that a busy event loop does not look at.
 *
 * `processHost` puts it at the head of `NODE_OPTIONS`, from where it takes itself away again:
 * what a task starts has a parent of its own. It is a CommonJS module, because `--require`
 * comes before `--import`, and it imports nothing.
 */
const { isMainThread, Worker } = process.getBuiltinModule("node:worker_threads")

/** How long an orphan lives at most. Arbitrary: a look costs some microseconds. */
const parentPollMillis = 250

const guard = (): void => {
  // As `processHost` has it.
  const option = `--require ${JSON.stringify(__filename)}`
  const { NODE_OPTIONS } = process.env
  const rest = NODE_OPTIONS?.replace(option, "").trim() ?? ""
  if (rest === "") delete process.env["NODE_OPTIONS"]
  else process.env["NODE_OPTIONS"] = rest

  // Whoever has lost its parent gets another: it may have been lost already.
  const parent = process.ppid
  const program = Number(process.argv[4])
  if (parent !== program && !isAlive(program)) process.kill(process.pid, "SIGKILL")
  // A thread is the only thing that runs beside a body, or a module that is being loaded. It
  // waits in JavaScript's event loop, where `process.exit` of a body can end it.
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
  // Without it the pool works all the same.
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

// Threads of a pool process inherit the flag, and have the guard of their process.
if (isMainThread) {
  try {
    guard()
  } catch {
    // Refused, by a permission model for one: without it the pool works all the same.
  }
}
