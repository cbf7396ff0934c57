import { Task } from "effect-blocking"

export const first = Task.make(import.meta.url, "first", () => 1)
