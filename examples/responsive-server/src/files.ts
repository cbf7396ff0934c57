/** The real input of the work: files of the `effect` package, found from here. */
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const effectDist = import.meta.resolve("effect")

/** A browser bundle of 3 MB, as a server would send it: the API explorer of `effect/http-api`. */
export const bundleFile = fileURLToPath(new URL("./http-api/internal/httpApiScalar.js", effectDist))

/** Some 570 TypeScript files with 21 MB, for the search. */
export const sourcesDirectory = fileURLToPath(new URL("../src/", effectDist))

/** Pool threads and the program share the process, and so the name of its database. */
export const databaseFile = join(tmpdir(), `responsive-server-${process.pid}.sqlite`)
