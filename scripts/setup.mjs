/**
 * Installs the dependencies of `npm start` and `npm test` if they are missing. Runs on the
 * machine's own Node (from 20) before anything is installed: plain JavaScript, no dependencies.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const lockfile = readFileSync(join(root, "package-lock.json"))
// Holds the hash of the lockfile that was installed.
const stamp = join(root, "node_modules", ".setup")
const wanted = createHash("sha256").update(lockfile).digest("hex")

const isReady = () => {
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) return false
  // The pinned Node, which npm scripts find before the machine's own.
  const node = join(root, "node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node")
  return spawnSync(node, ["--version"]).status === 0
}

if (!isReady()) {
  console.log("Installing dependencies (once, and again when package-lock.json changes) …")
  // npm's own script when npm runs this one: no shell is needed, on any system.
  const npm = process.env.npm_execpath
  // `ci` deletes node_modules first. Windows cannot delete a running program, such as the pinned Node.
  const locked = process.platform === "win32" && process.execPath.startsWith(join(root, "node_modules"))
  const [command, args] = npm?.endsWith(".js") ? [process.execPath, [npm]] : ["npm", []]
  try {
    // `error` hides the warnings about packages that need a later Node: they run on the pinned one.
    execFileSync(command, [...args, locked ? "install" : "ci", "--loglevel=error"], {
      cwd: root,
      stdio: "inherit",
      shell: process.platform === "win32" && command === "npm"
    })
  } catch (error) {
    console.error(
      `npm failed (${error.message}). It needs npm 11 and a package registry; run it by hand for details.`
    )
    process.exit(1)
  }
  writeFileSync(stamp, wanted)
  if (!isReady()) {
    console.error("The pinned Node does not run. Was its install script allowed (allowScripts in package.json)?")
    process.exit(1)
  }
}
