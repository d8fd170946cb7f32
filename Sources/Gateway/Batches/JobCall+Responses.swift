import Accounts
import Engines
import HTTP1
import Identity
import Metering
import NIOCore

/// Responses that their backend keeps: shown, followed, cancelled, deleted.
extension JobCall {
    /// What of a client's query a backend may see.
    private static let queryNames: Set<String> = [
        "include", "include[]", "stream", "starting_after", "include_obfuscation", "limit", "order", "after",
    ]

    func showResponse(_ place: ObjectSeal.Place, on backend: Backend) {
        let question = question(.responses, "/" + place.encodedID, query: responseQuery, on: backend)
        guard queryValue("stream") == "true" else { return askForResponse(question, place) }
        let passing = shared.settlements.isPending(place) ? WorkStream(.responses, on: backend) : nil
        stream(question, missing: noSuch(place), seal: answerSeal(of: place)) { [shared] bytes in
            guard let passing else { return }
            passing.take(bytes)
            shared.settlements.saw(passing.seen, of: place)
        }
    }

    func listItems(of place: ObjectSeal.Place, on backend: Backend) {
        let rest = "/" + place.encodedID + "/input_items"
        askForResponse(question(.responses, rest, query: responseQuery, on: backend), place)
    }

    func cancelResponse(_ place: ObjectSeal.Place, on backend: Backend) {
        let rest = "/" + place.encodedID + "/cancel"
        let cancellation = question(.responses, rest, method: "POST", content: Content(), on: backend)
        guard shared.settlements.isPending(place) else { return askForResponse(cancellation, place) }
        // Some engines forget what they cancel: what it had come to is looked at before.
        var look = question(.responses, "/" + place.encodedID, on: backend)
        look.answerBytesMax = Self.responseBytesMax
        ask(look, missing: noSuch(place)) { [self] answer in
            note(answer.body, of: place, by: backend)
            askForResponse(cancellation, place)
        }
    }

    /// What a response in the background came to stands nowhere but in it: it goes when that is on record. Whether it
    /// is one, the gateway that created it knows, and its document may leave out; one that still runs is none to delete
    /// for anybody.
    func deleteResponse(_ place: ObjectSeal.Place, on backend: Backend) {
        var look = question(.responses, "/" + place.encodedID, on: backend)
        look.answerBytesMax = Self.responseBytesMax
        let deletion = question(.responses, "/" + place.encodedID, method: "DELETE", on: backend)
        ask(look, missing: noSuch(place)) { [self] answer in
            guard let response = try? JSONObjectText(reading: answer.body) else {
                return fail(.jobsUpstream(backend, nil))
            }
            note(answer.body, of: place, by: backend)
            guard
                shared.settlements.isPending(place) || response.value("background") == Array("true".utf8)
                    || !Self.mayHaveEnded(answer.body)
            else { return askForResponse(deletion, place) }
            let age = shared.clock.realTime.milliseconds / 1000 - (response.integer("created_at") ?? .max / 2)
            whenRecorded(place) { [self] in
                let isRecorded = shared.settlements.isSettled(place) || age > Self.recordedSecondsMax
                guard isRecorded, !shared.settlements.isPending(place) else { return fail(.notOnRecord) }
                askForResponse(deletion, place)
            }
        }
    }

    private func askForResponse(_ question: EngineCall.Question, _ place: ObjectSeal.Place) {
        var question = question
        question.answerBytesMax = Self.responseBytesMax
        ask(question, missing: noSuch(place)) { [self] answer in
            note(answer.body, of: place, by: question.backend)
            let respond = { [self] in
                let sealed = answerSeal(of: place).sealed(ByteBuffer(bytes: answer.body))
                self.respond(answer.head.status, Array(sealed.readableBytesView), on: question.backend)
            }
            // Where its record is this gateway's to write, it is written before the end is shown.
            guard shared.settlements.isPending(place), Self.hasEnded(answer.body) else { return respond() }
            whenRecorded(place, then: respond)
        }
    }

    /// Whoever looks at work that is not on record yet learns what it has come to so far for its record, too.
    private func note(_ document: [UInt8], of place: ObjectSeal.Place, by backend: Backend) {
        guard shared.settlements.isPending(place) else { return }
        let facts = AnswerFacts(ofWork: document, in: InferenceRequest(of: .responses, model: ""), by: backend)
        if facts.finishReason != nil { shared.settlements.saw(facts, of: place) }
    }

    /// Whether it is not said to run: a document without a status is of an engine that shows what has ended.
    private static func mayHaveEnded(_ document: [UInt8]) -> Bool {
        hasEnded(document) || (try? JSONObjectText(reading: document))?.text("status") == nil
    }

    private static func hasEnded(_ document: [UInt8]) -> Bool {
        switch (try? JSONObjectText(reading: document))?.text("status") {
        case "completed", "incomplete", "failed", "cancelled": true
        default: false
        }
    }

    /// Goes on once what the response came to is on record, or when that takes too long.
    private func whenRecorded(_ place: ObjectSeal.Place, then: @escaping () -> Void) {
        shared.settlements.wish(for: place)
        let registry = shared.settlements
        wait(until: .now() + .milliseconds(Self.settleMilliseconds), isOver: { !registry.isPending(place) }, then: then)
    }

    /// After a day nobody asks any more what it came to.
    private static let recordedSecondsMax: Int64 = 25 * 3600

    /// Pictures are inside.
    private static let responseBytesMax = 64 << 20

    private func noSuch(_ place: ObjectSeal.Place) -> APIError { .noSuch(.response, sealed(place, .response)) }

    private func answerSeal(of place: ObjectSeal.Place) -> AnswerSeal {
        AnswerSeal(
            seal, project: grant.projectID, backend: place.backend, kind: .response,
            opened: [OpenedID(sealed: sealed(place, .response), upstream: place.id)])
    }

    private var responseQuery: String {
        query.split(separator: "&").filter { member in
            let name = member.prefix { $0 != "=" }
            return PercentEncoding.decoded(name).map { Self.queryNames.contains($0) } ?? false
        }.joined(separator: "&")
    }
}

extension Admission {
    /// Backends that have responses, of models that the tenant may use.
    func responseBackends(for grant: KeyGrant) -> [Backend] {
        var backends: [String: Backend] = [:]
        for model in snapshot.catalogue.models where model.isAllowed(for: grant.tenantID) {
            for route in model.routes where route.backend.dialect.serves(.responses) {
                backends[route.backend.name] = route.backend
            }
        }
        return backends.values.sorted { $0.name < $1.name }
    }
}

extension APIError {
    fileprivate static let notOnRecord = APIError(
        status: 409, type: "invalid_request_error", code: "response_not_recorded",
        message: "What this response in the background came to is not on record yet. Cancel it if it still runs, and "
            + "delete it later through the gateway that created it.",
        parameter: "response_id")
}
