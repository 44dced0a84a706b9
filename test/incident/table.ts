/** The table of a play: each row is printed as soon as it is known, in Markdown, so that it can stand in a document. */

export interface Row {
  /** What the operator wants. */
  readonly task: string
  /** The command or request by which it is done. */
  readonly command: string
  readonly seconds: number
  /** What was found to be so, or why it was not. */
  readonly checked: string
  readonly state: 'ok' | 'failed'
}

export const HEAD = ['| task | command | s | checked | |', '| --- | --- | ---: | --- | --- |'].join('\n')

export function lineOf({ task, command, seconds, checked, state }: Row): string {
  const cells = [task, `\`${command}\``, seconds.toFixed(1), checked, state]
  // Neither a line end nor a bar may end a cell.
  return `| ${cells.map((cell) => cell.replace(/\s+/g, ' ').replaceAll('|', '\\|')).join(' | ')} |`
}
