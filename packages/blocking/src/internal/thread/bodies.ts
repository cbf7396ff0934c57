/** The usual strategy of a pool thread: runs bodies as they were registered, at once, in the context of the whole JavaScript thread. */
import type { BodyStrategy } from "../../ThreadRunner.ts"
import { threadContext } from "./context.ts"

export const wholeThread: BodyStrategy = {
  reused: true,
  begin: (control, threadData) => {
    threadContext.control = control
    threadContext.threadData = threadData
    return threadContext
  },
  find: (_module, _name, registered) => registered,
  admit: () => undefined,
  call: (_sequence, run, args) => run(args)
}
