import HTTP1
import Identity
import Metering

/// A path below `/v1/files`, `/v1/batches` or `/v1/responses`.
enum JobPath: Hashable {
    case files
    /// Ids are percent-decoded.
    case file(String)
    case fileContent(String)
    case batches
    case batch(String)
    case batchCancellation(String)
    case response(String)
    case responseItems(String)
    case responseCancellation(String)

    /// Nil for any other path.
    init?(path: Substring) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        guard parts.count <= 4, parts.first == "v1", let collection = parts.dropFirst().first else { return nil }
        let id = parts.count > 2 ? PercentEncoding.decoded(parts[parts.startIndex + 2]) : ""
        guard let id, parts.count == 2 || !id.isEmpty else { return nil }
        switch (collection, parts.count, parts.last) {
        case ("files", 2, _): self = .files
        case ("files", 3, _): self = .file(id)
        case ("files", 4, "content"): self = .fileContent(id)
        case ("batches", 2, _): self = .batches
        case ("batches", 3, _): self = .batch(id)
        case ("batches", 4, "cancel"): self = .batchCancellation(id)
        case ("responses", 3, _): self = .response(id)
        case ("responses", 4, "input_items"): self = .responseItems(id)
        case ("responses", 4, "cancel"): self = .responseCancellation(id)
        default: return nil
        }
    }

    /// The methods that it answers, as the `allow` header names them.
    var allowed: String {
        switch self {
        case .files, .batches: "GET, POST, OPTIONS"
        case .file, .response: "GET, DELETE, OPTIONS"
        case .fileContent, .batch, .responseItems: "GET, OPTIONS"
        case .batchCancellation, .responseCancellation: "POST, OPTIONS"
        }
    }

    func allows(_ method: HTTP1.Method) -> Bool {
        switch self {
        case .files, .batches: method == .get || method == .post
        case .file, .response: method == .get || method == .delete
        case .fileContent, .batch, .responseItems: method == .get
        case .batchCancellation, .responseCancellation: method == .post
        }
    }

    /// Which backends it can be about: those that have this form.
    var surface: Surface {
        switch self {
        case .files, .file, .fileContent: .files
        case .batches, .batch, .batchCancellation: .batches
        case .response, .responseItems, .responseCancellation: .responses
        }
    }
}

extension JobPath {
    /// The id that it names; empty for a collection.
    var id: String {
        switch self {
        case .files, .batches: ""
        case .file(let id), .fileContent(let id), .batch(let id), .batchCancellation(let id), .response(let id),
            .responseItems(let id), .responseCancellation(let id):
            id
        }
    }
}
