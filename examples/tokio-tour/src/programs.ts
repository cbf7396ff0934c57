/** The programs of the tour, in order. */
import { program as asyncCpuAsync } from "./async-cpu-async/program.ts"
import { program as cpuAndTimers } from "./cpu-and-timers/program.ts"
import { program as database } from "./database/program.ts"
import { program as httpClient } from "./http-client/program.ts"
import { program as joinHandle } from "./join-handle/program.ts"
import { program as nested } from "./nested/program.ts"
import { program as panic } from "./panic/program.ts"
import { program as parseNumbers } from "./parse-numbers/program.ts"
import { program as readFile } from "./read-file/program.ts"
import { program as shutdown } from "./shutdown/program.ts"
import { program as sleepers } from "./sleepers/program.ts"
import { program as threadLocal } from "./thread-local/program.ts"

/** By the name of its folder. */
export const programs = {
  "read-file": { title: "Read a file", program: readFile },
  "parse-numbers": { title: "Parse numbers: a domain error", program: parseNumbers },
  "panic": { title: "A panic beside a domain error", program: panic },
  "sleepers": { title: "A hundred sleeping tasks on a bounded pool", program: sleepers },
  "join-handle": { title: "Await, detach, abort", program: joinHandle },
  "cpu-and-timers": { title: "A computation beside a timer", program: cpuAndTimers },
  "async-cpu-async": { title: "Asynchronous I/O, a computation, asynchronous I/O", program: asyncCpuAsync },
  "http-client": { title: "A synchronous HTTP client", program: httpClient },
  "database": { title: "A synchronous database", program: database },
  "nested": { title: "Blocking inside of blocking", program: nested },
  "shutdown": { title: "A shutdown behind tasks that never end", program: shutdown },
  "thread-local": { title: "Values of a thread, and arguments that are moved", program: threadLocal }
}
