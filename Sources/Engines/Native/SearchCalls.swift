/// The searches that an interaction of Google's ran, call by call. Each is one at least, whatever it says that it
/// searched for.
struct SearchCalls: Sendable {
    private var outputs: Int64 = 0
    private var steps: Int64 = 0
    private var ids: Set<String> = []

    /// More calls than these are one.
    private static let idsMax = 256

    /// A part of an answer, or of an event; one call may be shown as a part of both lists, or by several events.
    mutating func take(type: String?, id: String? = nil, isStep: Bool = false) {
        guard type == "google_search_call" else { return }
        if let id {
            guard ids.count < SearchCalls.idsMax, ids.insert(id).inserted else { return }
        }
        if isStep { steps += 1 } else { outputs += 1 }
    }

    var count: Int64 { max(outputs, steps) }
}
