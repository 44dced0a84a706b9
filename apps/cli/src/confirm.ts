/** The question before something that cannot be taken back. Anything but a yes is a no. */
import { createInterface } from 'node:readline/promises'

export interface Terminal {
  readonly input: NodeJS.ReadableStream
  readonly output: NodeJS.WritableStream
  readonly interactive: boolean
}

export async function confirm(question: string, terminal: Terminal): Promise<boolean> {
  const lines = createInterface({ input: terminal.input, output: terminal.output })
  try {
    // Ctrl-C and Ctrl-D close the line without an answer.
    const closed = new Promise<string>((resolve) => lines.once('close', () => resolve('')))
    const answer = await Promise.race([lines.question(`${question} [y/N] `).catch(() => ''), closed])
    return /^(y|yes)$/i.test(answer.trim())
  } finally {
    lines.close()
  }
}
