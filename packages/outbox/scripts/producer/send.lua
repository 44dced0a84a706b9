-- Stores messages of one app, in their order and each by itself: whole or not at all. The parts of a long text are one message here:
-- the first, and followers that differ from it in id and data. One that comes with an idempotency key is
-- new only if nothing stands under the key. All times are Redis's, so that clocks of several hosts are never compared.
--   KEYS[1] wait  KEYS[2] meta  KEYS[3] id  KEYS[4] delayed  KEYS[5] active  KEYS[6] events  KEYS[7] marker
--   KEYS[8] parked lanes  KEYS[9] messages that expire  KEYS[10] completed
--   ARGV[1] prefix of jobs  ARGV[2] prefix of lanes  ARGV[3] prefix of idempotency records  ARGV[4] prefix of reply windows
--   ARGV[5] prefix of collapse keys
--   ARGV[6..] twelve for each: how many followers, id, name, recipient, data (JSON), `sendAt` and `expiresAt` in epoch ms or '',
--             its policy for a closed reply window or '', where `refuse` is judged here and stored as `dead-letter`, collapse key or '',
--             digest of the idempotency key or '', fingerprint, the record's time to live in ms, from the later of now and `sendAt`;
--             then id and data of each follower
-- Returns for each 'queued', 'parked' or 'scheduled'; 'closed': its policy is `refuse`, and WeChat takes nothing now;
-- {'taken', id, fingerprint, ending noted beside the key or ''}; or {'failed', why}
--- include clock
--- include store
--- include why-failed
--- include window
local jobs, lanes, records, windows, collapseKeys = unpack(ARGV, 1, 5)
local WIDTH, FIRST = 12, 6
local now, micros = nowAndMicros()
local eventsMax, paused, concurrency = settingsOf(KEYS[2])
local at = {
  jobs = jobs, lanes = lanes, wait = KEYS[1], counter = KEYS[3], delayed = KEYS[4], active = KEYS[5],
  events = KEYS[6], marker = KEYS[7], parkedLanes = KEYS[8], expiring = KEYS[9],
  completed = KEYS[10], collapse = collapseKeys, records = records, now = now, micros = micros,
  eventsMax = eventsMax, paused = paused, concurrency = concurrency,
}

local stored = 0

local function send(n, followers)
  local id, name, touser, data, sendAt, expiresAt, onClosed, collapseKey, idem, fingerprint, ttlMs = unpack(ARGV, n + 1, n + WIDTH - 1)
  local record = idem ~= '' and records .. idem
  if record then
    local taken = redis.call('HMGET', record, 'id', 'fp', 'status')
    if taken[1] then
      -- Written again: whoever waits for replicas after this script waits for what it writes.
      redis.call('HSET', record, 'id', taken[1])
      return { 'taken', taken[1], taken[2], taken[3] or '' }
    end
  end
  if onClosed == 'refuse' then
    local window = readWindow(windows .. touser)
    if window and takesNothing(window, now) then return 'closed' end
    onClosed = 'dead-letter'
  end
  sendAt = tonumber(sendAt)
  local message = {
    id = id, name = name, touser = touser, data = data, sendAt = sendAt, expiresAt = expiresAt ~= '' and expiresAt,
    idem = record and idem, onClosed = onClosed, collapseKey = collapseKey ~= '' and collapseKey,
  }
  local stands = store(message, at)
  message.idem = nil
  for place = n + WIDTH, n + WIDTH + 2 * followers - 1, 2 do
    message.id, message.data = ARGV[place], ARGV[place + 1]
    store(message, at)
  end
  if record then
    redis.call('HSET', record, 'id', id, 'fp', fingerprint)
    redis.call('PEXPIRE', record, string.format('%.0f', ttlMs + math.max(0, (sendAt or 0) - at.now)))
  end
  stored = stored + 1 + followers
  return stands
end

local answers, n = {}, FIRST
while n <= #ARGV do
  local followers = tonumber(ARGV[n])
  at.storing = {}
  local isDone, answer = pcall(send, n, followers)
  if not isDone then
    unstore(at)
    local why = whyFailed(answer)
    if isReadOnly(why) then return redis.error_reply(why) end
    answer = { 'failed', why }
  end
  answers[#answers + 1] = answer
  n = n + WIDTH + 2 * followers
end
if stored > 0 then announce(stored, at) end
return answers
