import Engines

/// The scanner walks whatever it is given and stays within it.
enum JSONFuzzing {
    static func read(_ bytes: UnsafeRawBufferPointer) {
        var skipping = JSONScanner(bytes)
        let skipped = try? skipping.skip()
        if let skipped { precondition(skipped.upperBound <= bytes.count) }
        var walking = JSONScanner(bytes)
        let isWalked = (try? walk(&walking, bytes)) != nil
        // Skipping and reading take the same texts.
        precondition(isWalked == (skipped != nil), "skipping and reading disagree")
    }

    private static func walk(_ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer) throws {
        switch try scanner.kind() {
        case .object:
            try scanner.beginObject()
            while let key = try scanner.nextKey() {
                _ = key.value(in: bytes)
                try walk(&scanner, bytes)
            }
        case .array:
            try scanner.beginArray()
            while try scanner.nextElement() { try walk(&scanner, bytes) }
        case .string: _ = try scanner.string().value(in: bytes)
        case .number: _ = try scanner.number()
        case .bool: _ = try scanner.bool()
        case .null: try scanner.null()
        }
    }
}
