/**
 * Makes `packages/<name>/dist` the folder that is published, after `tsc -b` has compiled
 * into its `dist`: a package.json whose exports point there, the sources for the source
 * maps, README, guide and LICENSE. `npm pack` does not apply `publishConfig.exports`, so the
 * folder is complete in itself.
 *
 * The modules that every pool thread or process loads are bundled into one file: a thread starts several
 * milliseconds sooner with one module than with ten (benchmark/rows/coldStart.mjs).
 */
import { cpSync, existsSync, globSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join, relative, resolve, sep } from "node:path"
import { rolldown } from "rolldown"

const root = join(import.meta.dirname, "..")

/** The address of the repository; the release workflow knows it. */
const repository = process.env["GITHUB_REPOSITORY"] === undefined
  ? undefined
  : `${process.env["GITHUB_SERVER_URL"]}/${process.env["GITHUB_REPOSITORY"]}`

type Exports = string | null | { readonly [key: string]: Exports }

const compiled = (path: string, extension: ".js" | ".d.ts"): string =>
  path.replace("./src/", "./dist/").replace(/\.(c?)ts$/, (_, c: string) => extension.replace(/(?=[jt]s$)/, c))

/** Turns a source file in `exports` into its types and its code. A separate condition gets only code. */
const publishedExports = (exports: Exports, withTypes = true): Exports => {
  if (exports === null) return null
  if (typeof exports === "string") {
    return withTypes
      ? { types: compiled(exports, ".d.ts"), default: compiled(exports, ".js") }
      : compiled(exports, ".js")
  }
  const published: Record<string, Exports> = {}
  // Conditions are tried in order, and TypeScript's must come first.
  if (typeof exports["default"] === "string") published["types"] = compiled(exports["default"], ".d.ts")
  for (const [key, value] of Object.entries(exports)) published[key] = publishedExports(value, key.startsWith("."))
  return published
}

/** The modules that pool threads and processes load first, by package. */
const entries: Readonly<Record<string, ReadonlyArray<string>>> = {
  "blocking": ["internal/thread/index.ts"],
  "platform-node": ["internal/threadEntry.ts", "internal/processEntry.ts"]
}

const bundle = async (source: string, folder: string): Promise<void> => {
  const build = await rolldown({
    input: source,
    platform: "node",
    external: [/^node:/, /^effect($|\/)/]
  })
  await build.write({
    dir: folder,
    format: "es",
    sourcemap: true,
    entryFileNames: "[name].js",
    // A chunk imports from its entry, so two entries must not share a chunk.
    chunkFileNames: `${basename(source, ".ts")}-[name].js`
  })
}

/** Refers to the module that only pool threads load (through a condition), so that file tracers find it. */
const traceable = (entry: string, reached: string): void => {
  const map = "\n//# sourceMappingURL="
  const [code = "", ...rest] = readFileSync(entry, "utf8").split(map)
  const line = `\nnew URL("./${relative(dirname(entry), reached).replaceAll(sep, "/")}", import.meta.url)`
  if (!code.endsWith(line)) writeFileSync(entry, [code + line, ...rest].join(map))
}

/** Removes the output of deleted sources, which the compiler leaves. */
const removeStale = (source: string, target: string): void => {
  for (const file of globSync("**/*.{js,cjs,ts,cts,map}", { cwd: join(target, "dist") })) {
    const from = file.replace(/\.(?:d\.)?(c?)[jt]s(\.map)?$/, ".$1ts")
    if (!existsSync(join(source, "src", from))) rmSync(join(target, "dist", file))
  }
}

/**
 * Points source maps to the `src` of the published package, instead of the repository. A bundle also has code of
 * other packages: their sources are copied.
 */
const relocateMaps = (source: string, target: string): void => {
  for (const file of globSync("dist/**/*.map", { cwd: target })) {
    const path = join(target, file)
    const map = JSON.parse(readFileSync(path, "utf8"))
    map.sources = map.sources.map((from: string) => {
      const original = resolve(dirname(path), from)
      // Relocated by an earlier run: the compiler does not compile it again.
      if (!relative(target, original).startsWith("..")) return from
      const [owner = "", , ...rest] = relative(dirname(source), original).split(sep)
      const inTarget = join(target, "src", ...(owner === basename(source) ? [] : [owner]), ...rest)
      if (!existsSync(inTarget)) cpSync(original, inTarget)
      return relative(dirname(path), inTarget).replaceAll(sep, "/")
    })
    writeFileSync(path, JSON.stringify(map))
  }
}

/** Copies a file of the guide. A link to a file that is not published becomes its text. */
const copyPage = (file: string, target: string): void => {
  cpSync(join(root, file), join(target, file))
  if (!file.endsWith(".md")) return
  const text = readFileSync(join(root, file), "utf8")
  const isThere = (link: string): boolean => {
    const path = relative(root, resolve(root, dirname(file), link.replace(/#.*/, ""))).replaceAll(sep, "/")
    return path === "README.md" || /^(docs|examples)(\/|$)/.test(path)
  }
  // A picture would be half the size of the package.
  const linked = text.replace(/^!\[[^\]]*\]\([^)]*\.png\)\n+/gm, "").replace(
    /\[((?:`[^`]*`|[^[\]`])+)\]\(([^)\s]+)\)/g,
    (link, shown, address) => /^(\w+:|#)/.test(address) || isThere(address) ? link : shown
  )
  writeFileSync(join(target, file), linked)
}

/** A README names a page of the guide; on the registry's page that is a link. */
const linkPages = (readme: string, repository: string): string =>
  readme.replace(/`(docs\/[\w-]+\.md)`/g, `[$&](${repository}/blob/main/$1)`)

for (const name of readdirSync(join(root, "packages"))) {
  const source = join(root, "packages", name)
  const target = join(source, "dist")
  removeStale(source, target)
  const manifest = JSON.parse(readFileSync(join(source, "package.json"), "utf8"))
  const { devDependencies: _, scripts: __, ...published } = manifest
  published.exports = publishedExports(manifest.exports)
  for (const [name, path] of Object.entries<string>(manifest.bin ?? {})) published.bin[name] = compiled(path, ".js")
  if (Array.isArray(manifest.sideEffects)) {
    published.sideEffects = manifest.sideEffects.filter((path: string) => !path.startsWith("./src/"))
  }
  delete published.publishConfig.directory
  // The registry compares it with the repository that has built the package.
  if (repository !== undefined) {
    published.repository = { type: "git", url: `git+${repository}.git`, directory: `packages/${name}` }
  }
  writeFileSync(join(target, "package.json"), `${JSON.stringify(published, undefined, 2)}\n`)
  for (const folder of ["src", "docs", "examples"]) rmSync(join(target, folder), { recursive: true, force: true })
  cpSync(join(source, "src"), join(target, "src"), { recursive: true })
  cpSync(join(root, "LICENSE"), join(target, "LICENSE"))
  const readme = readFileSync(join(source, "README.md"), "utf8")
  writeFileSync(join(target, "README.md"), repository === undefined ? readme : linkPages(readme, repository))
  if (name === "blocking") {
    // The guide of this version, with the examples to which it links.
    const guide = ["docs/{*.md,assets/*}", "examples/README.md", "examples/*/{*.md,{src,test}/**/*.ts}"]
    for (const file of globSync(guide, { cwd: root, exclude: ["docs/index.md"] })) copyPage(file, target)
  }
  for (const entry of entries[name] ?? []) {
    await bundle(join(source, "src", entry), join(target, "dist", dirname(entry)))
  }
  if (name === "blocking") traceable(join(target, "dist/index.js"), join(target, "dist/internal/thread/index.js"))
  relocateMaps(source, target)
  console.log(`staged ${manifest.name} in packages/${name}/dist`)
}
