return 0x7fffffffffffffff, 0xA.8p1, 1e308, .5, 3., 9223372036854775808, 'a\z
  b\x41\u{20AC}\065\'', "\n\r\t\\", [==[
long ]] ]=] ]==], [[]] --[[ comment ]] --[==[ another ]==]