/**
 * Leaves out of the reference what TypeScript adds to a declaration and nobody looks for: constructors, accessors and
 * ancestors of schema classes, initial values of constants.
 */
import { Converter, ReflectionKind } from "typedoc"
import { MarkdownTheme, MarkdownThemeContext } from "typedoc-plugin-markdown"

class Context extends MarkdownThemeContext {
  partials = {
    ...this.partials,
    // It stands in the signature.
    signatureReturns: () => "",
    hierarchy: () => "",
    inheritance: () => ""
  }
}

class Theme extends MarkdownTheme {
  getRenderContext(page) {
    return new Context(this, page, this.application.options)
  }
}

/** @param {import("typedoc").Application} app */
export const load = (app) => {
  app.renderer.defineTheme("reference", Theme)
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const member of project.getReflectionsByKind(ReflectionKind.Constructor | ReflectionKind.Accessor)) {
      project.removeReflection(member)
    }
    for (const constant of project.getReflectionsByKind(ReflectionKind.Variable)) delete constant.defaultValue
  })
}
