import Testing

@testable import AdminAPI

/// Holds every answer that a test gets against what the endpoint says it answers.
struct Conformance: Sendable {
    private let routes: RouteTable

    init(_ endpoints: [Endpoint]) {
        routes = RouteTable(endpoints)
    }

    func check(_ answer: RawClient.Answer, to method: String, _ target: String) {
        let path = String(target.prefix { $0 != "?" })
        guard case .found(let endpoint, _) = routes.match(method: method, path: path) else { return }
        let place = "\(method) \(target) answered \(answer.status) \(answer.text)"
        if let success = endpoint.successes.first(where: { $0.status == answer.status }) {
            #expect(answer.headers["content-type"]?.hasPrefix(success.mediaType) == true, "\(place)")
            if let schema = success.schema, endpoint.operationID != "getOpenAPIDocument" {
                check(answer, schema, place)
            }
        } else {
            // A path whose parameter is no UTF-8 matches nothing and is not found, like any other unknown path.
            #expect(endpoint.problemStatuses.contains(answer.status), "\(place), which is not in the document")
            #expect(answer.headers["content-type"] == "application/problem+json", "\(place)")
            check(answer, Problem.schema, place)
        }
    }

    private func check(_ answer: RawClient.Answer, _ schema: Schema, _ place: String) {
        guard let json = try? JSONValue(bytes: answer.body) else {
            Issue.record("\(place), which is no JSON")
            return
        }
        let complaints = schema.complaints(about: json, at: "")
        #expect(complaints.isEmpty, "\(place)")
    }
}
