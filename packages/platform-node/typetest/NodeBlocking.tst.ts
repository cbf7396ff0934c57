import { NodeBlocking } from "@effect-blocking/platform-node"
import type { Layer } from "effect"
import { Blocking } from "effect-blocking"
import { describe, expect, it } from "tstyche"

class Cpu extends Blocking.Pool<Cpu>()("app/Cpu") {}
declare const options: NodeBlocking.Options | undefined

describe("NodeBlocking", () => {
  it("a layer can fail only with options", () => {
    expect(NodeBlocking.layer()).type.toBe<Layer.Layer<Blocking.Blocking>>()
    expect(NodeBlocking.layerPool(Cpu)).type.toBe<Layer.Layer<Cpu>>()
    expect(NodeBlocking.layer(options)).type.toBe<Layer.Layer<Blocking.Blocking, NodeBlocking.InvalidOptions>>()
    expect(NodeBlocking.layerPool(Cpu, options)).type.toBe<Layer.Layer<Cpu, NodeBlocking.InvalidOptions>>()
  })
})
