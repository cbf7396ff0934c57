#!/usr/bin/env node
/** The program `npx effect-blocking`. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { version } from "./version.ts"
import { command, NotThere } from "./view/top.ts"

NodeRuntime.runMain(
  Command.run(command, { version }).pipe(
    // One line: a stack does not help with a mistyped address.
    Effect.tapError((error) => error instanceof NotThere ? Console.error(error.message) : Effect.void),
    Effect.provide([NodeServices.layer, NodeHttpClient.layerNodeHttp])
  )
)
