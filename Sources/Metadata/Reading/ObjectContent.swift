package import NIOCore
package import ObjectDataStore

/// Where the bytes of one version are, in order.
package struct ObjectContent: Hashable, Sendable {
    package struct Segment: Hashable, Sendable {
        package enum Place: Hashable, Sendable {
            /// From this offset in `inline`.
            case inline(offset: Int)
            case stored(StoredBody)
        }

        /// Within the object.
        package var start: UInt64
        /// Greater than 0.
        package var length: UInt64
        package var place: Place
    }

    /// The bytes that the store itself holds, one inline part after another.
    package let inline: ByteBuffer
    package let segments: [Segment]
    package let byteCount: UInt64
    /// False: the inline bytes are not as many as the segments name.
    package let isConsistent: Bool

    package init(inline: ByteBuffer) {
        let length = UInt64(inline.readableBytes)
        self.inline = inline
        segments = length == 0 ? [] : [Segment(start: 0, length: length, place: .inline(offset: 0))]
        byteCount = length
        isConsistent = true
    }

    package init(body: StoredBody) {
        inline = ByteBuffer()
        segments = body.length == 0 ? [] : [Segment(start: 0, length: body.length, place: .stored(body))]
        byteCount = body.length
        isConsistent = true
    }

    package init(_ manifest: ManifestRecord, inline: ByteBuffer) {
        var segments: [Segment] = []
        segments.reserveCapacity(manifest.parts.count)
        var start: UInt64 = 0
        var inlineOffset = 0
        for part in manifest.parts where part.record.size > 0 {
            let length = part.record.size
            switch part.record.location {
            case .empty: continue
            case .inline:
                segments.append(Segment(start: start, length: length, place: .inline(offset: inlineOffset)))
                inlineOffset += Int(clamping: length)
            case .stored(let id):
                segments.append(Segment(start: start, length: length, place: .stored(StoredBody(id: id, length: length))))
            }
            start += length
        }
        self.inline = inline
        self.segments = segments
        byteCount = start
        isConsistent = inlineOffset == inline.readableBytes
    }

    /// All bytes, where the store itself holds all of them.
    package var inlineBytes: ByteBuffer? {
        UInt64(inline.readableBytes) == byteCount ? inline : nil
    }

    package var storedBodies: [BodyID] {
        segments.compactMap { segment in
            if case .stored(let body) = segment.place { body.id } else { nil }
        }
    }

    /// The segment that holds the byte at `offset`. Precondition: `offset < byteCount`.
    package func segment(at offset: UInt64) -> Segment {
        precondition(offset < byteCount, "a read beyond the object's end")
        var low = 0
        var high = segments.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if segments[middle].start <= offset { low = middle } else { high = middle - 1 }
        }
        return segments[low]
    }
}
