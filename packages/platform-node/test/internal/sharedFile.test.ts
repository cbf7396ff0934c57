import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { closeSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as SharedFile from "../../src/internal/sharedFile.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-blocking-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** The open descriptors of files below a folder, on Linux. */
const openIn = (path: string): ReadonlyArray<string> =>
  process.platform !== "linux" ? [] : readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const file = readlinkSync(`/proc/self/fd/${fd}`)
      return file.startsWith(path) ? [file] : []
    } catch {
      return []
    }
  })

/** A command in which a folder is a file system of one page, which is full, or has no inode left; needs permissions. */
const inFullFolder = (path: string, limit: "size=4k" | "nr_inodes=2", command: ReadonlyArray<string>) => [
  "--map-root-user",
  "--mount",
  "sh",
  "-c",
  `mount -t tmpfs -o ${limit} tmpfs ${path} && (head -c 65536 /dev/zero > ${path}/fill 2>/dev/null; true) && exec "$@"`,
  "sh",
  ...command
]

const canMount = spawnSync("unshare", inFullFolder(tmpdir(), "size=4k", ["true"])).status === 0

describe("sharedFile", () => {
  it.live("P1: the file is in the first folder that works, and is unlinked", () =>
    Effect.gen(function*() {
      const root = yield* folder
      const [missing, notAFolder, works, next] = ["missing", "file", "works", "next"].map((name) => join(root, name))
      writeFileSync(notAFolder!, "")
      mkdirSync(works!)
      mkdirSync(next!)
      const file = SharedFile.make([missing!, notAFolder!, works!, next!])
      const bytes = new Uint8Array(4)
      file.write(new Uint8Array([1, 2, 3, 4]), 8)
      SharedFile.open(file.fd).read(bytes, 8)
      assert.deepStrictEqual([...bytes], [1, 2, 3, 4])
      assert.deepStrictEqual([...readdirSync(works!), ...readdirSync(next!)], [])
      if (process.platform === "linux") {
        const [path = "", ...others] = openIn(root)
        assert.isTrue(path.startsWith(works!))
        assert.deepStrictEqual(others, [])
      }
      file.close()
      assert.deepStrictEqual(openIn(root), [])
      assert.throws(() => closeSync(file.fd), /EBADF/)
    }))

  it.live("P1: the error names each folder that was tried, and nothing is left behind", () =>
    Effect.gen(function*() {
      const root = yield* folder
      const [missing, notAFolder] = ["missing", "file"].map((name) => join(root, name))
      writeFileSync(notAFolder!, "")
      assert.throws(
        () => SharedFile.make([missing!, notAFolder!]),
        /in any of \S+missing \(ENOENT.*\), \S+file \(E[A-Z]+: .*\)$/
      )
      assert.deepStrictEqual(openIn(root), [])
    }))

  for (const limit of ["size=4k", "nr_inodes=2"] as const) {
    it.live.skipIf(!canMount)(
      `P1: a folder that is full (${limit}) is skipped, and no descriptor stays open`,
      () =>
        Effect.gen(function*() {
          const [full, works] = [yield* folder, yield* folder]
          const module = new URL("../../src/internal/sharedFile.ts", import.meta.url).href
          const script = `
          import { make } from ${JSON.stringify(module)}
          import { readdirSync, readlinkSync } from "node:fs"
          const links = () => readdirSync("/proc/self/fd").map((fd) => {
            try { return readlinkSync("/proc/self/fd/" + fd) } catch { return "" }
          }).filter((path) => path.startsWith(${JSON.stringify(full)}) || path.startsWith(${JSON.stringify(works)}))
          const results = []
          try { make([${JSON.stringify(full)}]) } catch (error) { results.push(error.message.includes("ENOSPC")) }
          results.push(links().length)
          make([${JSON.stringify(full)}, ${JSON.stringify(works)}])
          console.log(JSON.stringify([...results, links().length, links()[0].startsWith(${JSON.stringify(works)})]))`
          const command = [process.execPath, "--input-type=module", "--eval", script]
          const { stderr, stdout } = spawnSync("unshare", inFullFolder(full, limit, command), { encoding: "utf8" })
          assert.strictEqual(stdout, "[true,0,1,true]\n", stderr)
        })
    )
  }
})
