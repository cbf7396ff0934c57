/** Maps positions in the running code to positions in its sources. */
import { readFileSync } from "node:fs"
import { SourceMap, type SourceMapPayload } from "node:module"
import { dirname, relative, resolve, sep } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import type { Frame } from "../../Watchdog.ts"
import { isOfNode, isOfPackage, type RawFrame } from "./frames.ts"

interface Mapped {
  readonly url: string
  readonly line: number
  readonly column: number
}

export class SourceMaps {
  /** By script id; `undefined` if a script has no readable map. */
  private readonly maps = new Map<string, { readonly map: SourceMap; readonly base: string } | undefined>()
  private readonly urls: ReadonlyMap<string, string>
  private readonly directory: string

  constructor(urls: ReadonlyMap<string, string>, directory: string) {
    this.urls = urls
    this.directory = directory
  }

  /** A frame with its position in the source, and its path relative to the program's directory. */
  frame(raw: RawFrame): Frame {
    const { column, line, url } = this.original(raw) ?? { url: raw.url, line: raw.line, column: raw.column }
    return {
      name: raw.name,
      url: url.startsWith("/") ? pathToFileURL(url).href : url,
      path: shown(url, this.directory),
      line: line + 1,
      column: column + 1,
      kind: isOfNode(url) ? "Node" : isOfPackage(url) ? "Package" : "Program"
    }
  }

  private original({ column, line, scriptId, url }: RawFrame): Mapped | undefined {
    const found = this.mapOf(scriptId, url)
    if (found === undefined) return undefined
    const entry = found.map.findEntry(line, column)
    if (!("originalSource" in entry) || entry.originalSource === undefined) return undefined
    return {
      url: new URL(entry.originalSource, found.base).href,
      line: entry.originalLine,
      column: entry.originalColumn
    }
  }

  private mapOf(scriptId: string, url: string) {
    if (this.maps.has(scriptId)) return this.maps.get(scriptId)
    const address = this.urls.get(scriptId)
    const found = address === undefined || isOfNode(url) ? undefined : read(address, url)
    this.maps.set(scriptId, found)
    return found
  }
}

/** Without a map, or with a broken one, positions stay those of the running code. */
const read = (address: string, script: string) => {
  try {
    const base = script.startsWith("/") ? pathToFileURL(script).href : script
    const inline = /^data:application\/json[^,]*?(;base64)?,/.exec(address)
    if (inline !== null) {
      const data = address.slice(inline[0].length)
      const text = inline[1] === undefined ? decodeURIComponent(data) : Buffer.from(data, "base64").toString()
      return { map: new SourceMap(JSON.parse(text) as SourceMapPayload), base }
    }
    const at = new URL(address, base)
    return { map: new SourceMap(JSON.parse(readFileSync(at, "utf8")) as SourceMapPayload), base: at.href }
  } catch {
    return undefined
  }
}

/** A path without scheme; relative if the file is in the program's directory. */
const shown = (url: string, directory: string): string => {
  if (!url.startsWith("file:") && !url.startsWith("/")) return url
  const path = url.startsWith("/") ? url : fileURLToPath(url)
  const inside = relative(directory, resolve(dirname(path), path))
  return (inside.startsWith("..") ? path : inside).replaceAll(sep, "/")
}
