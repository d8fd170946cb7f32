internal import Identity
internal import Metering

/// A path of a system's own API as clients may write it, segment by segment:
/// `/v1/models/{model}/{model}/predictions`.
///
/// A backend's key opens all of the backend, so a path goes there only when every segment of it is one that was
/// foreseen. Literal segments are compared byte for byte, without decoding; `{id}` and `{place}` take a few
/// characters and never an escape. `{kept}` is an id of something that the engine keeps, which the gateway opens. A
/// model's name is decoded, and only looked up: the upstream's own name goes out in its place.
struct PathTemplate: Sendable {
    private enum Segment: Hashable {
        case literal([UInt8])
        /// Letters, digits, `-` and `_`.
        case id
        /// The same; the upstream's own id goes out in its place.
        case kept
        /// The same, and `.` and `:` between: Google's projects.
        case place
        /// The model's name, or a part of it when several stand beside one another; `behind` it stands the action.
        case model(behind: [UInt8])
        /// The model's name over one or more segments.
        case models(behind: [UInt8])

        var isModel: Bool {
            switch self {
            case .model, .models: true
            case .literal, .id, .kept, .place: false
            }
        }
    }

    /// A path that has the form of the template.
    struct Match: Hashable {
        /// Decoded; nil where the template names none.
        var model: String?
        /// The id of something that the engine keeps; nil where the template names none.
        var keptID: String?
        /// The path in front of the model's name or the id, or all of it.
        var prefix: String
        /// The path behind the model's name or the id.
        var suffix: String
    }

    private let segments: [Segment]

    /// The longest `{id}` or `{place}`.
    private static let wordBytesMax = 200

    /// `text` begins with a slash; see the type.
    init(_ text: String) {
        segments = text.split(separator: "/").map { part in
            switch part {
            case "{id}": return .id
            case "{kept}": return .kept
            case "{place}": return .place
            default:
                if part.hasPrefix("{model}") { return .model(behind: Array(part.dropFirst("{model}".count).utf8)) }
                if part.hasPrefix("{models}") { return .models(behind: Array(part.dropFirst("{models}".count).utf8)) }
                return .literal(Array(part.utf8))
            }
        }
    }

    /// Nil when the path has another form.
    func match(_ path: Substring) -> Match? {
        guard path.utf8.first == UInt8(ascii: "/") else { return nil }
        if segments.isEmpty { return path == "/" ? Match(prefix: "/", suffix: "") : nil }
        let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        let spanned = parts.count - segments.count
        guard spanned >= 0 else { return nil }
        var index = 0
        var model: Range<Substring.Index>?
        var kept: Substring?
        for segment in segments {
            guard index < parts.count else { return nil }
            var last = index
            if case .models = segment { last += spanned }
            guard last < parts.count, PathTemplate.fits(parts[index...last], segment) else { return nil }
            if segment.isModel {
                let end = path.utf8.index(parts[last].endIndex, offsetBy: -PathTemplate.behind(segment).count)
                model = (model?.lowerBound ?? parts[index].startIndex)..<end
            }
            if segment == .kept { kept = parts[index] }
            index = last + 1
        }
        guard index == parts.count else { return nil }
        if let kept {
            return Match(
                keptID: String(kept), prefix: String(path[..<kept.startIndex]), suffix: String(path[kept.endIndex...]))
        }
        guard let model else { return Match(prefix: String(path), suffix: "") }
        guard let name = PathTemplate.modelName(path[model]) else { return nil }
        return Match(
            model: name, prefix: String(path[..<model.lowerBound]), suffix: String(path[model.upperBound...]))
    }

    private static func behind(_ segment: Segment) -> [UInt8] {
        switch segment {
        case .model(let behind), .models(let behind): behind
        case .literal, .id, .kept, .place: []
        }
    }

    private static func fits(_ parts: ArraySlice<Substring>, _ segment: Segment) -> Bool {
        guard let first = parts.first, let last = parts.last else { return false }
        switch segment {
        case .literal(let bytes): return first.utf8.elementsEqual(bytes)
        case .id, .kept: return isWord(first) { $0.isWordCharacter }
        case .place:
            return isWord(first) { $0.isWordCharacter || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") }
                && first.utf8.contains { $0.isWordCharacter }
        case .model(let behind), .models(let behind):
            return last.utf8.count > behind.count && last.utf8.suffix(behind.count).elementsEqual(behind)
        }
    }

    private static func isWord(_ text: Substring, _ isAllowed: (UInt8) -> Bool) -> Bool {
        (1...wordBytesMax).contains(text.utf8.count) && text.utf8.allSatisfy(isAllowed)
    }

    /// The name that escapes stand for; nil for what no model is called and some server might take for a path: dot
    /// segments, empty segments, backslashes, what is still escaped after decoding, control characters.
    private static func modelName(_ text: Substring) -> String? {
        guard let name = PercentEncoding.decoded(text) else { return nil }
        let forbidden: StaticString = "\\%?#;"
        let isPlain = name.utf8.allSatisfy { byte in
            byte >= 0x20 && byte != 0x7F
                && !UnsafeBufferPointer(start: forbidden.utf8Start, count: forbidden.utf8CodeUnitCount).contains(byte)
        }
        guard isPlain else { return nil }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        return parts.allSatisfy { !$0.utf8.allSatisfy { $0 == UInt8(ascii: ".") } } ? name : nil
    }
}

extension UInt8 {
    fileprivate var isWordCharacter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

/// One call of a system's own API: the method, the paths that mean it, and what it is.
struct NativeRoute: Sendable {
    let method: String
    let template: PathTemplate
    let surface: Surface
    let isStream: Bool
    let isInference: Bool

    init(
        _ template: String, _ surface: Surface, method: String = "POST", isStream: Bool = false,
        isInference: Bool = true
    ) {
        self.method = method
        self.template = PathTemplate(template)
        self.surface = surface
        self.isStream = isStream
        self.isInference = isInference
    }
}

extension [NativeRoute] {
    /// The call that the path asks for; nil when none of the templates has its form. `unencoded`: what of the
    /// upstream's model name stays as it is.
    func call(method: String, path: Substring, unencoded: String = "") -> NativeCall? {
        for route in self where route.method == method {
            guard let match = route.template.match(path) else { continue }
            return NativeCall(
                surface: route.surface, method: method, model: match.model, isStream: route.isStream,
                isInference: route.isInference, keptID: match.keptID, prefix: match.prefix, suffix: match.suffix,
                unencoded: unencoded)
        }
        return nil
    }
}
