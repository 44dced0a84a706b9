-- Why a step that was called by itself has failed, as text; and whether it says that the server is a replica. There every step
-- fails alike and nothing is written. The script is refused as a whole then, because its client looks for the primary where
-- the answer is that error, and not where it stands inside of an answer.
local function whyFailed(answer)
  return type(answer) == 'table' and answer.err or tostring(answer)
end

local function isReadOnly(why)
  return string.find(why, 'READONLY ', 1, true) ~= nil
end
