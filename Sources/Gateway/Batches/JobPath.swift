import HTTP1
import Identity

/// A path below `/v1/files` or `/v1/batches`.
enum JobPath: Hashable {
    case files
    /// Ids are percent-decoded.
    case file(String)
    case fileContent(String)
    case batches
    case batch(String)
    case batchCancellation(String)

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
        default: return nil
        }
    }

    /// The methods that it answers, as the `allow` header names them.
    var allowed: String {
        switch self {
        case .files, .batches: "GET, POST, OPTIONS"
        case .file: "GET, DELETE, OPTIONS"
        case .fileContent, .batch: "GET, OPTIONS"
        case .batchCancellation: "POST, OPTIONS"
        }
    }

    func allows(_ method: HTTP1.Method) -> Bool {
        switch self {
        case .files, .batches: method == .get || method == .post
        case .file: method == .get || method == .delete
        case .fileContent, .batch: method == .get
        case .batchCancellation: method == .post
        }
    }
}
