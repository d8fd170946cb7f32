/// Turns the pieces of a stream into bytes, and spoils them where the settings say so.
struct StreamEncoder: Sendable {
    /// What is wrong with the next piece.
    struct Flaws: OptionSet, Sendable {
        let rawValue: Int

        /// It is no JSON.
        static let malformed = Flaws(rawValue: 1)
        /// Its frame's checksum is wrong.
        static let checksum = Flaws(rawValue: 2)
    }

    private let framing: StreamHead.Framing
    private let behavior: Behavior
    private let padding: String
    private var gzip: GzipStream?
    private var elements = 0
    /// Bytes of a payload part that waits for more.
    private var held: [UInt8] = []
    private var mixed: UInt64

    /// - Parameter seed: decides where payload parts are cut.
    init(framing: StreamHead.Framing, behavior: Behavior, seed: UInt64) {
        self.framing = framing
        self.behavior = behavior
        mixed = seed
        padding =
            behavior.paddingBytes > 0
            ? ",\"obfuscation\":\"" + String(repeating: "x", count: behavior.paddingBytes) + "\"}" : ""
        gzip = behavior.compresses ? GzipStream() : nil
    }

    /// Whether bytes of what was encoded wait for what comes next.
    var holdsBytes: Bool { !held.isEmpty }

    /// The bytes of some pieces.
    mutating func encode(_ pieces: [StreamPiece], flaws: Flaws = []) -> [UInt8] {
        var bytes: [UInt8] = []
        for piece in pieces {
            let encoded = encode(piece, flaws: flaws)
            switch (framing, piece) {
            case (.payloadParts, .exception): bytes += lastPart() + encoded
            case (.payloadParts, _): bytes += parts(of: encoded, flaws: flaws)
            default: bytes += encoded
            }
        }
        return gzip?.write(bytes) ?? bytes
    }

    /// What a proper end adds.
    mutating func finish() -> [UInt8] {
        var bytes: [UInt8] = []
        if framing == .jsonArray { bytes = Array((elements == 0 ? "[]" : "\n]").utf8) }
        bytes += lastPart()
        guard var gzip else { return bytes }
        return (bytes.isEmpty ? [] : gzip.write(bytes)) + gzip.finish()
    }

    private mutating func encode(_ piece: StreamPiece, flaws: Flaws) -> [UInt8] {
        switch piece {
        case .bytes(let bytes): return bytes
        case .exception(let name, let data):
            return EventStreamFrame.exception(name, Array(data.utf8)).bytes(spoiled: flaws.contains(.checksum))
        case .event(let name, let id, let data):
            return encode(name: name, id: id, data: worded(data, flaws), spoiled: flaws.contains(.checksum))
        }
    }

    private mutating func encode(name: String?, id: String?, data: String, spoiled: Bool) -> [UInt8] {
        switch framing {
        case .serverSentEvents(let space):
            return Array(event(name: name, id: id, data: data, space: space ? " " : "").utf8)
        case .payloadParts:
            return Array(event(name: name, id: id, data: data, space: "").utf8)
        case .awsEventStream:
            return EventStreamFrame.event(name ?? "chunk", Array(data.utf8)).bytes(spoiled: spoiled)
        case .jsonArray:
            elements += 1
            return Array(((elements == 1 ? "[" : "\n,\r\n") + data).utf8)
        case .bytes:
            return Array(data.utf8)
        }
    }

    private func event(name: String?, id: String?, data: String, space: String) -> String {
        var text = behavior.comments ? ": keep-alive\n\n" : ""
        if let name { text += "event:\(space)\(name)\n" }
        if let id { text += "id:\(space)\(id)\n" }
        // A text of several lines is as many `data` lines.
        for line in data.split(separator: "\n", omittingEmptySubsequences: false) {
            text += "data:\(space)\(line)\n"
        }
        return text + "\n"
    }

    private func worded(_ data: String, _ flaws: Flaws) -> String {
        guard data.hasSuffix("}"), data.utf8.count > 2 else { return data }
        if flaws.contains(.malformed) { return data.dropLast() + "]" }
        return padding.isEmpty ? data : data.dropLast() + padding
    }

    // MARK: Payload parts

    /// Cuts what is held and what came anywhere, down to half a character, and keeps a rest for the next time.
    private mutating func parts(of bytes: [UInt8], flaws: Flaws) -> [UInt8] {
        held += bytes
        var framed: [UInt8] = []
        var spoiled = flaws.contains(.checksum)
        var start = 0
        while true {
            mixed = Hash.mix(mixed)
            let length = behavior.partBytes > 0 ? behavior.partBytes : 1 + Int(mixed % 97)
            guard held.count - start > length else { break }
            framed += Self.part(held[start..<start + length], spoiled: spoiled)
            spoiled = false
            start += length
        }
        held.removeFirst(start)
        return framed
    }

    /// What was held back.
    private mutating func lastPart() -> [UInt8] {
        defer { held = [] }
        return held.isEmpty ? [] : Self.part(held[...], spoiled: false)
    }

    private static func part(_ bytes: ArraySlice<UInt8>, spoiled: Bool) -> [UInt8] {
        EventStreamFrame.event("PayloadPart", contentType: "application/octet-stream", Array(bytes))
            .bytes(spoiled: spoiled)
    }
}
