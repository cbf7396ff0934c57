/**
 * Runs the type tests: `node scripts/type-tests.ts [file name …]`.
 *
 * tstyche uses a JavaScript API of TypeScript that version 7 no longer has.
 * It gets version 6 from the workspace `typescript6`, which keeps the `tsc` of that version
 * out of node_modules/.bin.
 */
process.env.TSTYCHE_TYPESCRIPT_MODULE = import.meta.resolve("typescript6")

// Imported dynamically: it reads the environment when it is loaded.
const { Cli } = await import("tstyche/api")

process.exitCode = await new Cli().run(process.argv.slice(2))
