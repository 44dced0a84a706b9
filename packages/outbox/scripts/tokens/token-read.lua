--- include token
-- The shared token, whether it serves or not.
--   KEYS[1] token
-- Returns {value, parameter, version, ms left, lifetime ms, '1' if refused} or {} when there is none.
return readToken(KEYS[1])
