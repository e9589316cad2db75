//! The allocator against what its callers were promised.

use super::*;

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 1).unwrap()
}

/// A block filled with a byte of its own.
struct Block {
    at: *mut u8,
    size: usize,
    mark: u8,
}

impl Block {
    fn new(size: usize, mark: u8) -> Block {
        let at = unsafe { Keeping.alloc(layout(size)) };
        assert!(!at.is_null() && at.addr() % ALIGN == 0);
        unsafe { at.write_bytes(mark, size) };
        Block { at, size, mark }
    }

    fn bytes(&self) -> &[u8] {
        unsafe { std::slice::from_raw_parts(self.at, self.size) }
    }

    fn resize(&mut self, size: usize) {
        let kept = self.size.min(size);
        self.at = unsafe { Keeping.realloc(self.at, layout(self.size), size) };
        self.size = size;
        assert!(self.bytes()[..kept].iter().all(|b| *b == self.mark));
        unsafe { self.at.write_bytes(self.mark, size) };
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        assert!(self.bytes().iter().all(|b| *b == self.mark));
        unsafe { Keeping.dealloc(self.at, layout(self.size)) };
    }
}

// A block of a list may be sent: it is the system's.
unsafe impl Send for Block {}

#[test]
fn classes_are_large_enough_and_not_too_large() {
    for size in 1..=LARGEST {
        let class = class_of(layout(size)).unwrap();
        assert!(class_size(class) >= size);
        assert!(class == 0 || class_size(class - 1) < size);
    }
    assert_eq!(class_of(layout(LARGEST + 1)), None);
    assert_eq!(
        class_of(Layout::from_size_align(32, 32).unwrap()),
        None,
        "it would not be aligned"
    );
}

#[test]
fn what_is_freed_is_the_next_of_its_size() {
    for size in [1, 24, 25, 100, 1024, LARGEST] {
        let first = Block::new(size, 1);
        let at = first.at;
        drop(first);
        let next = Block::new(size, 2);
        assert_eq!(next.at, at);
    }
}

#[test]
fn a_thread_keeps_so_much_and_no_more() {
    let size = class_size(60);
    let blocks: Vec<Block> = (0..2 * KEPT / size).map(|_| Block::new(size, 3)).collect();
    drop(blocks);
    let class = class_of(layout(size)).unwrap();
    let mut kept = 0;
    LISTS.with(|lists| {
        let list = &lists.0[class];
        assert_eq!(list.room.get(), 0);
        let mut block = list.first.get();
        while !block.is_null() {
            kept += 1;
            block = unsafe { block.cast::<*mut u8>().read() };
        }
    });
    assert_eq!(kept, KEPT / size);
}

#[test]
fn blocks_go_from_thread_to_thread() {
    let (send, receive) = std::sync::mpsc::channel::<Block>();
    let reader = std::thread::spawn(move || receive.into_iter().map(drop).count());
    for i in 0..20_000 {
        send.send(Block::new(1 + i % 3_000, i as u8)).unwrap();
    }
    drop(send);
    assert_eq!(reader.join().unwrap(), 20_000);
}

#[test]
fn zeroed_is_zeroed() {
    for size in [8, 200, LARGEST, LARGEST + 1] {
        drop(Block::new(size, 0xff));
        let at = unsafe { Keeping.alloc_zeroed(layout(size)) };
        let block = Block { at, size, mark: 0 };
        assert!(block.bytes().iter().all(|b| *b == 0));
    }
}

/// What is freed after a thread's lists are gone goes to the system.
#[test]
fn a_thread_that_ends_may_free() {
    struct Late(Option<Block>);
    impl Drop for Late {
        fn drop(&mut self) {
            drop(self.0.take());
            drop(Block::new(50, 7));
        }
    }
    thread_local!(static LATE: std::cell::RefCell<Late> = const { std::cell::RefCell::new(Late(None)) });
    std::thread::spawn(|| {
        // Destructors run in the order of registration, or the reverse: one of each.
        LATE.with(|late| late.borrow_mut().0 = Some(Block::new(80, 9)));
    })
    .join()
    .unwrap();
}

#[test]
fn any_order_of_calls() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    let mut blocks: Vec<Block> = Vec::new();
    for step in 0..100_000 {
        let size = 1 + match next(4) {
            0 => next(4_000),
            _ => next(300),
        };
        match next(3) {
            0 if !blocks.is_empty() => {
                let at = next(blocks.len());
                blocks.swap_remove(at);
            }
            1 if !blocks.is_empty() => {
                let at = next(blocks.len());
                blocks[at].resize(size);
            }
            _ if blocks.len() < 2_000 => blocks.push(Block::new(size, step as u8)),
            _ => {}
        }
    }
}
