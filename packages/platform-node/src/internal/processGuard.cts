/**
 * The first module of a pool process, before the program's preloads: ends the process
 * when its parent is gone, although it may be in code that never returns. A killed
 * parent sends no message, and a busy event loop does not see that its channel has closed.
 *
 * `processHost` puts it at the head of `NODE_OPTIONS`, from where it removes itself:
 * a process that a task starts has another parent. It is a CommonJS module, because `--require`
 * comes before `--import`, and it imports nothing.
 */
const { isMainThread, Worker } = process.getBuiltinModule("node:worker_threads")

/** How long an orphan lives at most. Arbitrary: a check costs microseconds. */
const parentPollMillis = 250

const guard = (): void => {
  // As written by `processHost`.
  const option = `--require ${JSON.stringify(__filename)}`
  const { NODE_OPTIONS } = process.env
  const rest = NODE_OPTIONS?.replace(option, "").trim() ?? ""
  if (rest === "") delete process.env["NODE_OPTIONS"]
  else process.env["NODE_OPTIONS"] = rest

  // An orphan gets another parent, and the real one may be gone already.
  const parent = process.ppid
  const program = Number(process.argv[4])
  if (parent !== program && !isAlive(program)) process.kill(process.pid, "SIGKILL")
  // Only a thread can run beside a body, or beside a module that is being loaded. It
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
  // The pool works without it.
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

// Threads of a pool process inherit the flag, and are covered by the guard of their process.
if (isMainThread) {
  try {
    guard()
  } catch {
    // Refused, for example by a permission model: the pool works without it.
  }
}
