/**
 * A secret of the operator, and tokens signed with it as the operator signs them: `coscribe token`.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { binary } from '../../interop/support/server.mjs'

/** A file with a secret in it, made for one run. */
export class Secret {
  /** Where it is kept. */
  file = ''
  #folder

  static async create() {
    const secret = new Secret()
    secret.#folder = await mkdtemp(join(tmpdir(), 'coscribe-editors-'))
    secret.file = join(secret.#folder, 'secret')
    await writeFile(secret.file, randomBytes(32).toString('hex'), { mode: 0o600 })
    return secret
  }

  /**
   * A token for all documents.
   * @param {'read' | 'write' | 'admin'} level
   * @param {{ name: string, color: string }} [person]
   */
  async token(level, person) {
    const identity = person === undefined ? [] : ['--name', person.name, '--color', person.color]
    const args = ['token', '--secret-file', this.file, '--level', level, '--documents', '*', ...identity]
    const { stdout } = await promisify(execFile)(binary(), args)
    return stdout.trim()
  }

  async dispose() {
    await rm(this.#folder, { recursive: true })
  }
}
