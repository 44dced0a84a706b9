-- Stores messages of one app, in their order and each by itself: whole or not at all. One that comes with an idempotency key is
-- new only if nothing stands under the key.
--   KEYS[1..9] as BullMQ's addStandardJob takes them   KEYS[10] messages that expire
--   ARGV[1] prefix of jobs   ARGV[2] prefix of lanes
--   ARGV[3..] ten for each: id, name, recipient, data, accepted at, delay in ms, `expiresAt` or '',
--             idempotency record or '', fingerprint, the record's time to live in ms
-- Returns for each 1, {'taken', id, fingerprint} or {'failed', why}
--- include store
local at = { add = KEYS, expiring = KEYS[10], prefix = ARGV[1], lanes = ARGV[2] }

local function send(n)
  local id, name, touser, data, acceptedAt, delayMs, expiresAt, record, fingerprint, ttlMs = unpack(ARGV, n, n + 9)
  if record ~= '' then
    local taken = redis.call('HMGET', record, 'id', 'fp')
    if taken[1] then return { 'taken', taken[1], taken[2] } end
  end
  store({
    id = id, name = name, touser = touser, data = data, acceptedAt = tonumber(acceptedAt),
    delayMs = tonumber(delayMs), expiresAt = expiresAt ~= '' and expiresAt,
  }, at)
  if record ~= '' then
    redis.call('HSET', record, 'id', id, 'fp', fingerprint)
    redis.call('PEXPIRE', record, ttlMs)
  end
  return 1
end

local answers = {}
for n = 3, #ARGV, 10 do
  local isDone, answer = pcall(send, n)
  answers[#answers + 1] = isDone and answer or { 'failed', type(answer) == 'table' and answer.err or tostring(answer) }
end
return answers
