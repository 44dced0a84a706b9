-- Stores the media id of an upload, unless there is one: where the lock has ended before its holder came back, another may have
-- uploaded the picture as well, and all use one of the two.
--   KEYS[1] media id
--   ARGV[1] id   ARGV[2] ms it lasts
-- Returns {the id that stands, ms left}.
redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
return { redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]) }
