-- endedUnsure(history): whether a call of the message has ended without anybody knowing whether WeChat took it. The history, the job's
-- field `stacktrace`, is JSON inside of JSON, and never loses the last such call.
local function endedUnsure(history)
  return history and string.find(history, '\\"outcome\\":\\"unsure\\"', 1, true) ~= nil
end
