return [[
POST   /notes       {"text": "..."}   create a note
GET    /notes                         list them
GET    /notes/ID                      one of them
DELETE /notes/ID                      remove it
]]
