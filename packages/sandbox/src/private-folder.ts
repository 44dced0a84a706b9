// What a Redis keeps is content and access tokens, and other people may have accounts on the same machine. So its
// folder and all files in it are for their owner alone; those that an earlier version left open are closed.
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const FOLDER = 0o700
const FILE = 0o600

/** Makes the folder, or takes the rights of others away from one that is there. */
export const makePrivateFolder = async (dir: string): Promise<void> => {
  await mkdir(dir, { recursive: true, mode: FOLDER })
  await chmod(dir, FOLDER)
}

/** Takes the rights of others away from everything in the folder. A link is left alone, and so is what it leads to. */
export const closeFolder = async (dir: string): Promise<void> => {
  await unlessGone(chmod(dir, FOLDER))
  for (const entry of (await unlessGone(readdir(dir, { withFileTypes: true }))) ?? []) {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) await closeFolder(path)
    else if (entry.isFile()) await unlessGone(chmod(path, FILE))
  }
}

/** Writes a file that only its owner can read, whatever stood there before. */
export const writePrivateFile = async (path: string, text: string): Promise<void> => {
  await unlessGone(chmod(path, FILE))
  await writeFile(path, text, { mode: FILE })
}

/** Redis removes its own temporary files, also while it ends. */
const unlessGone = async <T>(done: Promise<T>): Promise<T | undefined> => {
  try {
    return await done
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
