/** The short task, in a module of its own: the threads of its pool load nothing else. */
import { Task } from "effect-blocking"
import { hash } from "node:crypto"

export const fingerprint = Task.make(import.meta.url, "fingerprint", (text: string) => hash("sha256", text))
