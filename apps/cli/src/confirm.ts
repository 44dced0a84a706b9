/** Questions at a terminal: before something that cannot be taken back, where anything but a yes is a no, and after Ctrl-C. */
import { createInterface } from 'node:readline'

export interface Terminal {
  readonly input: NodeJS.ReadableStream
  readonly output: NodeJS.WritableStream
  readonly interactive: boolean
}

export async function confirm(question: string, terminal: Terminal): Promise<boolean> {
  const answer = await ask(`${question} [y/N] `, terminal)
  return /^(y|yes)$/i.test(answer.trim())
}

/** One line. Ctrl-C and Ctrl-D are no answer, and that is ''. */
export async function ask(question: string, { input, output }: Terminal): Promise<string> {
  const lines = createInterface({ input, output, prompt: question })
  try {
    // The input may end in the same tick as its line, so whichever event comes first decides.
    const answer = await new Promise<string | undefined>((resolve) => {
      lines.once('line', resolve)
      lines.once('close', () => resolve(undefined))
      lines.prompt()
    })
    // Nobody has ended the line of the question.
    if (answer === undefined) output.write('\n')
    return answer ?? ''
  } finally {
    lines.close()
  }
}
