-- Gives whoever has a picture the media id that WeChat knows it by, else the right to upload it, if nobody has it. One step, so
-- that nobody uploads what another has just uploaded.
--   KEYS[1] media id   KEYS[2] lock
--   ARGV[1] fence   ARGV[2] ms the lock lasts
-- Returns {'media', id, ms left}, {'lock'} or {'busy'}.
local id = redis.call('GET', KEYS[1])
if id then return { 'media', id, redis.call('PTTL', KEYS[1]) } end
return { redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) and 'lock' or 'busy' }
