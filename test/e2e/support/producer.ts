/** A producer in a process of its own: sends what it reads as JSON from its argument and prints the receipts. */
import { Outbox, type SendResult } from '@wechat-outbox/outbox'

const [redis = '', appid = '', requests = '[]'] = process.argv.slice(2)
const outbox = new Outbox({ redis, appid })
const results: SendResult[] = await outbox.sendMany(JSON.parse(requests))
process.stdout.write(`receipts ${JSON.stringify(results)}\n`)
await outbox.close()
process.exit(0)
