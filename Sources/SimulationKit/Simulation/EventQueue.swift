/// What will happen, by virtual time; of two things at the same time the one that was scheduled first comes first.
///
/// A binary heap of small keys; what they stand for lies still in a table beside it.
struct EventQueue<Payload> {
    private struct Key {
        var time: UInt64
        var sequence: UInt64
        var slot: Int

        static func < (first: Key, second: Key) -> Bool {
            first.time != second.time ? first.time < second.time : first.sequence < second.sequence
        }
    }

    private var heap: [Key] = []
    private var payloads: [Payload?] = []
    private var freeSlots: [Int] = []
    private var nextSequence: UInt64 = 0

    var count: Int { heap.count }
    var nextTime: UInt64? { heap.first?.time }

    mutating func schedule(_ payload: Payload, at time: UInt64) {
        let slot: Int
        if let free = freeSlots.popLast() {
            slot = free
            payloads[slot] = payload
        } else {
            slot = payloads.count
            payloads.append(payload)
        }
        heap.append(Key(time: time, sequence: nextSequence, slot: slot))
        nextSequence += 1
        siftUp(heap.count - 1)
    }

    mutating func popFirst() -> (time: UInt64, payload: Payload)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            siftDown(0)
        }
        freeSlots.append(first.slot)
        guard let payload = payloads[first.slot].take() else { preconditionFailure("an event without a payload") }
        return (first.time, payload)
    }

    private mutating func siftUp(_ start: Int) {
        var position = start
        while position > 0 {
            let parent = (position - 1) / 2
            guard heap[position] < heap[parent] else { return }
            heap.swapAt(position, parent)
            position = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var position = start
        while true {
            let left = 2 * position + 1
            guard left < heap.count else { return }
            let right = left + 1
            let child = right < heap.count && heap[right] < heap[left] ? right : left
            guard heap[child] < heap[position] else { return }
            heap.swapAt(position, child)
            position = child
        }
    }
}
