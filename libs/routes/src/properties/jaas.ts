/** `sasl.jaas.config`: the login module that a Java client would load, and its options. No message repeats any of it. */

/** A login module by the last part of its name, and what it is told. */
export interface Login {
  module: string
  options: ReadonlyMap<string, string>
}

/** `org.apache...PlainLoginModule required username="..." password="...";`; undefined where the text is nothing such. */
export function parseLogin(text: string): Login | undefined {
  const [, module, rest] =
    /^\s*(?:[\w$]+\.)*(\w+)\s+(?:required|requisite|sufficient|optional)\b([^]*);\s*$/.exec(text) ?? []
  if (module === undefined || rest === undefined) return undefined
  const options = new Map<string, string>()
  const option = /\s*(\w+)\s*=\s*(?:"((?:\\[^]|[^"\\])*)"|'([^']*)'|([^\s"';]+))/y
  while (option.lastIndex < rest.trimEnd().length) {
    const [, name, quoted, single, bare] = option.exec(rest) ?? []
    if (name === undefined) return undefined
    options.set(name, quoted?.replace(/\\([^])/g, '$1') ?? single ?? bare ?? '')
  }
  return { module, options }
}
