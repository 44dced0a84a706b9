-- A fetch whose answer was lost with its connection has been made all the same, perhaps twice: what it has locked, and its
-- caller does not know of, waits again, and does not look as if it were being sent.
--   KEYS[1] active   KEYS[2] wait   KEYS[3] marker
--   ARGV[1] prefix of job keys   ARGV[2] lock token   ARGV[3] the id that the caller knows of, or ''
-- Returns how many were given back.
--- include mark
local given = 0
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  local jobKey = ARGV[1] .. id
  if id ~= ARGV[3] and redis.call('GET', jobKey .. ':lock') == ARGV[2] then
    local _, by = readMark(redis.call('HGET', jobKey, 'sending'))
    if by == ARGV[2] then redis.call('HDEL', jobKey, 'sending') end
    redis.call('DEL', jobKey .. ':lock')
    redis.call('LREM', KEYS[1], 1, id)
    redis.call('RPUSH', KEYS[2], id)
    redis.call('ZADD', KEYS[3], 0, '0')
    given = given + 1
  end
end
return given
