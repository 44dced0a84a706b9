-- Ends every token that one key has of one app. A stable record that is left names a token that is gone, and is replaced.
--   KEYS[1] index of the holder's tokens
--   ARGV[1] prefix of the tokens
-- Returns how many there were.
local revoked = 0
for _, digest in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  revoked = revoked + redis.call('DEL', ARGV[1] .. digest)
end
redis.call('DEL', KEYS[1])
return revoked
